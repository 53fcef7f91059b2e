"""The whole circle, unattended: the commands of the product one after another, each run again only if it must be."""
