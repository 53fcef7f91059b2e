"""Real failures beside their nearest synthetic and real pictures, and what a person makes of them."""
