"""Formats that trainers read: each has a writer and a reader, from and to the same plain records."""
