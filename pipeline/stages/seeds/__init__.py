"""Seeds: what the teachers are asked for, drawn so that the corpus covers its topics evenly."""
