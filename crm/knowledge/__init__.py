"""What the hotline knows: articles that agents read from, and contact points by commune."""
