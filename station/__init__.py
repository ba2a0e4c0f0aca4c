"""The line itself: a panel's visit, from intake to its destination."""
