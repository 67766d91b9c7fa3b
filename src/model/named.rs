//! Enums whose values have names, each declared in one list.

/// Declares an enum from one list of its values with their names: the enum, `ALL`, `as_str` and `Display`.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Enum:ident {
            $($(#[$doc:meta])* $Value:ident = $name:literal,)*
        }
    ) => {
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[$doc])* $Value,)*
        }

        impl $Enum {
            /// Every value, in order.
            $vis const ALL: [Self; [$($name),*].len()] = [$(Self::$Value),*];

            /// Returns the name, which is the same everywhere: in the configuration, on the command line and in artifacts.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Value => $name,)*
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use named;
