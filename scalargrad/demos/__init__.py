"""The main job, the digits and the networks that commands, lessons and benchmarks run."""
