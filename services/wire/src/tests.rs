mod bounds;
mod encoding;
