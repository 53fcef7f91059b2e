"""What may be given away: licences of assets, and no pixels of the real world."""
