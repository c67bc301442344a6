"""The downstream consumer: it reads the text of a network and scores the network.

There is no predictor here yet.
"""
