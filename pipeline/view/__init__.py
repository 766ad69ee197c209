"""The browser of runs: a small server on this machine, or a folder of files, and one page that both are read with."""
