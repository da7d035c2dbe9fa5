"""What figures show: features of images, clusters of them, and the experts' words for the clusters."""
