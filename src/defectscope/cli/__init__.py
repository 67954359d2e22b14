"""The command line: `defectscope` and its subcommands."""
