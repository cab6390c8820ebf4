"""What people do in the studio: each action is one function, one transaction and one audit line.

Pages and API share them.
"""
