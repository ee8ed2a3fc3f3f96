"""Results for others: a copy without this machine in it, joined to what lies on the hub, with a card. Push is all."""
