"""One file per line of the Procfile: the outermost ring, which wires everything and which nothing imports."""
