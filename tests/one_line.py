"""What every error of ours is: one line that is not long, without Python's inner names."""


def check_one_line(error: BaseException, most: int) -> None:
    message = str(error)
    assert len(message) <= most
    assert "\n" not in message
    assert "__" not in message
