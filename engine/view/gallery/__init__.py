"""A folder with a page that shows tens of thousands of frames: columns, labels and thumbnails load when they are wanted."""
