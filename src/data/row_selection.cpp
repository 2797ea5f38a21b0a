#include "data/row_selection.hpp"

#include "data/row_digest.hpp"

namespace precis {
namespace {

/// Of all that encoding depends on and ranks may have differently; 0 where nobody asks.
std::uint64_t digest_for(RankGroup* ranks, const Tokenizer& tokenizer, std::int64_t count,
                         const std::function<RowTexts(std::int64_t)>& texts_of) {
  if (ranks == nullptr || ranks->size() == 1) {
    return 0;
  }
  RowDigest digest;
  digest.add(tokenizer.to_json());
  for (std::int64_t i = 0; i < count; ++i) {
    const RowTexts texts = texts_of(i);
    digest.add(static_cast<std::int64_t>(texts.post->kind));
    digest.add(texts.post->subreddit);
    digest.add(texts.post->title);
    digest.add(texts.post->body);
    for (const std::string& response : texts.responses) {
      digest.add(response);
      digest.add(static_cast<std::int64_t>(tokenizer.end_token()));
    }
  }
  return digest.value();
}

}  // namespace

void encode_and_keep(const RowFilter& filter, RowCounts& counts, std::int64_t count,
                     const std::function<RowTexts(std::int64_t)>& texts_of,
                     const std::function<void(std::int64_t, EncodedRow&&)>& keep,
                     RankGroup* ranks) {
  const std::uint64_t digest =
      collectively(ranks, [&] { return digest_for(ranks, filter.tokenizer(), count, texts_of); });
  const auto encode = [&](std::int64_t i) {
    const RowTexts texts = texts_of(i);
    return filter.encode(*texts.post, texts.responses, texts.where);
  };
  auto encoded = encode_rows(count, encode, ranks, digest);
  collectively(ranks, [&] {
    for (std::int64_t i = 0; i < count; ++i) {
      EncodedRow row = std::move(encoded[static_cast<std::size_t>(i)]);
      if (filter.keeps_tokens(row, counts)) {
        keep(i, std::move(row));
      }
    }
  });
}

}  // namespace precis
