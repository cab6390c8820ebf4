"""The two faces of Handpicked: the web studio and the command line."""
