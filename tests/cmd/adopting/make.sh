# Three modules with 300 findings each.
echo '//! Old, and in use.'
for module in one two three; do
    echo "/// Part $module."
    echo "pub mod $module {"
    for at in $(seq 300); do
        echo "    /// Number $at."
        echo "    pub fn f$at(x: u32) -> u32 {"
        echo "        return x + $at;"
        echo "    }"
    done
    echo "}"
done
