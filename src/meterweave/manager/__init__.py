"""Who may do what, of which part of the network, and the trail of what was done."""
