"""One file a subcommand: arguments in; terminal, signals and exit code out."""
