"""`python -m experiments`: the same as the command `mixerlab`."""

from research.command.main import main

raise SystemExit(main())
