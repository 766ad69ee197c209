"""Solutions: the teacher solves its own exercises again, blind, where their tests are to be what solutions agree on."""
