"""A slow, plain reading of JATS by DESIGN.md section 4, to hold the fast reader against."""
