// The Porter stemmer, in the variant that Google's rouge_score uses.
#pragma once

#include <string>

namespace precis {

/// The stem of a word of [a-z0-9] by Porter's algorithm (Porter 1980, "An algorithm for suffix
/// stripping") with the extensions that NLTK has by default: a table of irregular forms, y -> i
/// only after a consonant, "ies" and "ied" of four letters keep their e, and the rules alli, bli,
/// fulli and logi of step 2.
[[nodiscard]] std::string porter_stem(std::string word);

}  // namespace precis
