"""The runtime below the operations: laziness, streams, memory, exchange with other libraries, threads."""
