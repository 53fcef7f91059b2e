"""What is different between two datasets: counts, parameters, taxonomy, distributions and files."""
