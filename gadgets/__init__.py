"""All of perfline that touches messages, files, sockets, clocks and people."""
