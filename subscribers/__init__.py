"""Who the subscribers are, what they did, and what they allow. The ground floor: imports none of our other packages."""
