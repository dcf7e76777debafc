//! The contract's generated part.

#[test]
fn the_legs_of_a_composite_have_the_shape_of_a_publisher() {
    xtask::wit::check().unwrap();
}
