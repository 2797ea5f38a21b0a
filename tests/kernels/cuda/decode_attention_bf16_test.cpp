// The KV cache and attention over it in bf16, and its splits.
#include <numeric>

#include "kernels/cuda/bf16.hpp"

namespace precis::test {
namespace {

struct Case {
  std::vector<std::int32_t> lengths;
  std::int64_t heads, kv_heads, head_dim;
};

// On both sides of a split's end (256 keys), and groups that are not whole.
const std::vector<Case> cases{
    {{}, 2, 1, 64},
    {{1}, 1, 1, 64},
    {{600, 1, 255, 256, 257}, 2, 1, 64},
    {{31, 300}, 7, 1, 80},
    {{32, 33}, 3, 3, 96},
    {{70, 513}, 4, 1, 128},
    {{65, 2, 260}, 4, 2, 256},
    {{40, 290}, 9, 1, 20},
    {{5, 270}, 2, 2, 7},
};

constexpr std::int64_t blocks_for(std::int64_t tokens) {
  return (tokens + attention_block - 1) / attention_block;
}

HostTensor nans(const Shape& shape) {
  HostTensor x = zeros(shape);
  std::fill_n(x.data<float>(), x.numel(), std::nanf(""));
  return x;
}

/// A cache whose blocks lie in reverse order and that is NaN where no token is.
struct Scene {
  Case c;
  std::int64_t blocks = 1, table_length = 1;
  HostTensor q, k, v, slots, tables, lengths;

  Scene(const Case& of, std::uint64_t seed) : c(of), lengths(of.lengths) {
    Random random(seed);
    for (const std::int32_t length : c.lengths) {
      blocks += blocks_for(length);
      table_length = std::max(table_length, blocks_for(length));
    }
    std::vector<std::int32_t> places;
    std::vector<std::int32_t> table;
    auto block = static_cast<std::int32_t>(blocks);
    for (const std::int32_t length : c.lengths) {
      for (std::int32_t n = 0; n < length; ++n) {
        block -= n % attention_block == 0 ? 1 : 0;
        if (n % attention_block == 0) {
          table.push_back(block);
        }
        places.push_back(static_cast<std::int32_t>(block * attention_block + n % attention_block));
      }
      table.resize(table.size() + static_cast<std::size_t>(table_length - blocks_for(length)), -1);
    }
    const auto sequences = static_cast<std::int64_t>(c.lengths.size());
    const auto tokens = static_cast<std::int64_t>(places.size());
    q = random.normal({sequences, c.heads, c.head_dim});
    k = random.normal({tokens, c.kv_heads, c.head_dim});
    v = random.normal({tokens, c.kv_heads, c.head_dim});
    slots = HostTensor(places);
    tables = HostTensor({sequences, table_length}, table);
  }

  /// Sequences [begin, end), with a table of `width` blocks.
  void decode(test::Run& run, const Activation& half, std::int64_t begin, std::int64_t end,
              std::int64_t width) const {
    const View keys =
        run.out("keys", half(nans({blocks, c.kv_heads, c.head_dim, attention_block})));
    const View values =
        run.out("values", half(nans({blocks, c.kv_heads, attention_block, c.head_dim})));
    run.backend.rotary_kv_write(run.queue, keys, values, {}, run.out("k", half(k)), run.in(half(v)),
                                {}, run.in(slots), {});
    std::vector<std::int32_t> table;
    for (std::int64_t b = begin; b < end; ++b) {
      const auto* row = tables.data<std::int32_t>() + b * table_length;
      table.insert(table.end(), row, row + width);
    }
    const HostTensor queries = q.rows(begin, end);
    run.backend.decode_attention(
        run.queue, run.out("out", half(zeros(queries.shape()))), run.in(half(queries)), keys,
        values, run.in(HostTensor({end - begin, width}, table)), run.in(lengths.rows(begin, end)),
        1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  }
};

TEST(DecodeAttentionBf16, Agrees) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.head_dim);
    const Scene scene(c, 1);
    const auto sequences = static_cast<std::int64_t>(c.lengths.size());
    expect_bf16_agreement([&](test::Run& run, const Activation& half) {
      scene.decode(run, half, 0, sequences, scene.table_length);
    });
  }
}

TEST(DecodeAttentionBf16, BitsDependOnTheSequenceAlone) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const Activation half = [&](const HostTensor& x) { return converted(x, dtype); };
    const Scene scene({{600, 33, 200, 256, 257}, 4, 2, 64}, 2);
    const auto all = run_on(backend_under_test(), [&](test::Run& run) {
      scene.decode(run, half, 0, 5, scene.table_length);
    });
    for (std::int64_t b = 0; b < 5; ++b) {
      const auto alone = run_on(backend_under_test(), [&](test::Run& run) {
        scene.decode(run, half, b, b + 1, blocks_for(scene.lengths.data<std::int32_t>()[b]));
      });
      EXPECT_EQ(alone.at("out"), all.at("out").rows(b, b + 1)) << "sequence " << b;
    }
  }
}

TEST(DecodeAttentionBf16, RotatesWhatItWrites) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.head_dim);
    const Scene s(c, 4);
    Random random(5);
    const HostTensor q = random.normal({s.k.shape()[0], c.heads, c.head_dim});
    const HostTensor positions = random.indices({s.k.shape()[0]}, 8192);
    for (const std::int64_t dims : {c.head_dim / 4 * 2, c.head_dim / 2 * 2}) {
      expect_bf16_agreement([&](test::Run& run, const Activation& half) {
        const View keys =
            run.out("keys", half(nans({s.blocks, c.kv_heads, c.head_dim, attention_block})));
        const View values =
            run.out("values", half(nans({s.blocks, c.kv_heads, attention_block, c.head_dim})));
        run.backend.rotary_kv_write(run.queue, keys, values, run.out("q", half(q)),
                                    run.out("k", half(s.k)), run.in(half(s.v)), run.in(positions),
                                    run.in(s.slots), {dims, 10000.0});
      });
    }
  }
}

TEST(DecodeAttentionBf16, CopiesBlocks) {
  Random random(3);
  const HostTensor keys = random.normal({3, 2, 5, attention_block});
  const HostTensor values = random.normal({3, 2, attention_block, 5});
  const Activation half = [](const HostTensor& x) { return converted(x, DType::bf16); };
  const auto result = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.kv_copy_block(run.queue, run.out("keys", half(keys)),
                              run.out("values", half(values)), 2, 0);
  });
  EXPECT_EQ(result.at("keys").rows(0, 1), half(keys).rows(2, 3));
  EXPECT_EQ(result.at("keys").rows(1, 3), half(keys).rows(1, 3));
  EXPECT_EQ(result.at("values").rows(0, 1), half(values).rows(2, 3));
}

}  // namespace
}  // namespace precis::test
