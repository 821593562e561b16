"""What was asked for: command line, environment, file and targets, read with their places."""
