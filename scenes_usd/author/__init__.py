"""Scripts that author every file below ``scenes_usd``; ``python -m scenes_usd.author.build`` writes them all again."""
