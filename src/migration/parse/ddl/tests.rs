//! What the recognisers of data definition language read.
