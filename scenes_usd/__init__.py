"""USD scenes authored for this project, and the scripts that author them."""
