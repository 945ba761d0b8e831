"""Support: imports at first use, forks, decorators, a bar of progress, words, the line of user code."""
