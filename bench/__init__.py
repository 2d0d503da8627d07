"""Side-by-side measurements. Each prints ratios taken in one run; none is a test."""
