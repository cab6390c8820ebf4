"""The command line. Each module holds the commands of one kind; heavy libraries are imported when a command runs."""
