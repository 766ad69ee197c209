"""`hornbook clean`: the cleaning stages alone, on anybody's rows."""
