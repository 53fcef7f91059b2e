"""Labels drawn over their pictures: contact sheets, and one page of HTML that needs nothing else."""
