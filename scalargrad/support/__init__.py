"""Support: imports at first use, forks, decorators, a bar of progress, the line of user code."""
