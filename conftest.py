"""What holds for every test, of Elute and of its packages."""

import signal

# A shell lets what it starts in the background ignore Ctrl-C, and all that this starts would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
