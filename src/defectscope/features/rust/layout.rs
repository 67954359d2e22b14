//! The catalogue of a record, for hosts that have no other.

/// One feature a line, in the order of the record: name, number of the group's bit, how many
/// integers (`h` one for each row, `w` one for each column) and bytes of each. A feature begins at
/// the next multiple of 8 bytes. Tests hold it equal to what Python lists.
pub static CATALOGUE: &str = "\
luma_sum 0 1 8\n\
luma_min 0 1 4\n\
luma_max 0 1 4\n\
dark_counts 0 1 4\n\
tile_luma 0 96 4\n\
row_luma 0 h 4\n\
row_min 0 h 4\n\
row_max 0 h 4\n\
has_previous 1 1 4\n\
sad 1 1 8\n\
changed_count 1 1 4\n\
tile_sad 1 96 4\n\
row_sad 1 h 4\n\
row_difference 2 h 4\n\
row_step 2 h 4\n\
luma_histogram 3 256 4\n\
column_luma 4 w 4\n\
column_max 4 w 4\n\
column_difference 5 w 4\n\
column_step 5 w 4\n\
comb_sums 6 8 8\n\
comb_counts 6 8 4\n\
tile_comb 6 96 4\n\
gradient_counts 7 8 4\n\
tile_gradient 7 96 4\n\
tile_sampled_luma 7 96 4\n\
tile_luma_squares 7 96 8\n\
tile_dx1_squares 8 96 8\n\
tile_dx2_squares 8 96 8\n\
tile_dx4_squares 8 96 8\n\
dy_squares 8 3 8\n\
tile_noise 9 96 4\n\
tile_laplacian_squares 9 96 8\n\
band_counts 10 12 4\n\
tile_bands 10 96 4\n\
tile_flats 10 96 4\n\
chroma_sums 11 2 8\n\
chroma_squares 11 2 8\n\
chroma_product 11 1 8\n\
chroma_extremes 11 4 4\n\
chroma_illegal 11 4 4\n\
saturation_counts 11 4 4\n\
tile_u 11 96 4\n\
tile_v 11 96 4\n\
tile_saturation 11 96 4\n\
chroma_histogram 12 1024 4";
