"""The live view: a web page in a process of its own, behind a queue that drops the oldest."""
