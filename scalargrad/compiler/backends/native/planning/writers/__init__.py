"""Writers of records: one for each kind of group, which chooses the kernel and says where its operands lie."""
