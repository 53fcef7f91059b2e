"""A folder with a page of tens of thousands of frames: columns, labels and thumbnails load when they are wanted."""
