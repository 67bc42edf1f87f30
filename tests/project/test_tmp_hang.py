import time
def test_a(): pass
def test_hang(): time.sleep(1000)
def test_b(): pass
def test_c(): pass
