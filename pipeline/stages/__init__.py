"""The stages of the walk, one folder each, named as the stage; what they share lies beside the folders."""
