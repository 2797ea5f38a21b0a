// The KV cache and attention over it: against the reference, and with the bits of the packed pass.
#include <omp.h>

#include <numeric>

#include "base/error.hpp"
#include "kernels/harness.hpp"
#include "support/expect_error.hpp"

namespace precis::test {
namespace {

struct Case {
  std::vector<std::int32_t> lengths;
  std::int64_t heads, kv_heads, head_dim;
};

const std::vector<Case> cases{
    {{}, 2, 1, 8},       {{1}, 1, 1, 8},         {{32, 33, 5}, 3, 3, 20}, {{100, 1, 64}, 12, 4, 64},
    {{7, 65}, 8, 1, 80}, {{31, 96}, 4, 2, 96},   {{40}, 2, 2, 128},       {{70, 3}, 4, 1, 256},
    {{50}, 70, 1, 16},   {{300, 256}, 4, 2, 24},
};

HostTensor filled(const Shape& shape, float value) {
  HostTensor x = zeros(shape);
  std::fill_n(x.data<float>(), x.numel(), value);
  return x;
}

/// Sequences packed one after another, and where their tokens lie in a cache whose blocks are in
/// mixed order; what no token owns is NaN.
struct Scene {
  Case c;
  std::int64_t tokens, blocks, table_length;
  HostTensor q, k, v, offsets, slots, tables, lengths;

  [[nodiscard]] double scale() const { return 1.0 / std::sqrt(static_cast<double>(c.head_dim)); }
  [[nodiscard]] HostTensor keys() const {
    return filled({blocks, c.kv_heads, c.head_dim, attention_block}, std::nanf(""));
  }
  [[nodiscard]] HostTensor values() const {
    return filled({blocks, c.kv_heads, attention_block, c.head_dim}, std::nanf(""));
  }
  /// The last token's row of each sequence.
  [[nodiscard]] HostTensor last_rows(const HostTensor& x) const {
    const auto sequences = static_cast<std::int64_t>(c.lengths.size());
    HostTensor result = zeros({sequences, x.shape()[1], x.shape()[2]});
    for (std::int64_t b = 0; b < sequences; ++b) {
      const std::int64_t row = offsets.data<std::int32_t>()[b + 1] - 1;
      std::copy_n(x.data<float>() + row * x.shape().row_numel(), x.shape().row_numel(),
                  result.data<float>() + b * x.shape().row_numel());
    }
    return result;
  }
};

Scene scene(const Case& c, std::uint64_t seed) {
  Random random(seed);
  const auto sequences = static_cast<std::int64_t>(c.lengths.size());
  std::vector<std::int32_t> offsets{0};
  std::int64_t table_length = 1;
  for (const std::int32_t length : c.lengths) {
    offsets.push_back(offsets.back() + length);
    table_length =
        std::max<std::int64_t>(table_length, (length + attention_block - 1) / attention_block);
  }
  const std::int64_t tokens = offsets.back();
  const std::int64_t blocks = sequences * table_length + 3;
  std::vector<std::int32_t> order(static_cast<std::size_t>(blocks));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.stream().below(static_cast<std::uint32_t>(i))]);
  }
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> tables;
  for (std::int64_t b = 0; b < sequences; ++b) {
    const std::int32_t length = c.lengths[static_cast<std::size_t>(b)];
    for (std::int32_t n = 0; n < length; ++n) {
      const auto place = static_cast<std::size_t>(b * table_length + n / attention_block);
      slots.push_back(
          static_cast<std::int32_t>(order[place] * attention_block + n % attention_block));
    }
    for (std::int64_t m = 0; m < table_length; ++m) {
      // Entries beyond the length are not read.
      tables.push_back(m * attention_block < length
                           ? order[static_cast<std::size_t>(b * table_length + m)]
                           : -1);
    }
  }
  return {c,
          tokens,
          blocks,
          table_length,
          random.normal({tokens, c.heads, c.head_dim}),
          random.normal({tokens, c.kv_heads, c.head_dim}),
          random.normal({tokens, c.kv_heads, c.head_dim}),
          HostTensor(offsets),
          HostTensor(slots),
          HostTensor({sequences, table_length}, tables),
          HostTensor(c.lengths)};
}

/// Keys and values into the cache as they are.
void write(test::Run& run, View keys, View values, const HostTensor& k, const HostTensor& v,
           const HostTensor& slots) {
  run.backend.rotary_kv_write(run.queue, keys, values, {}, run.out("k", k), run.in(v), {},
                              run.in(slots), {});
}

void decode(test::Run& run, const Scene& s) {
  const View keys = run.out("keys", s.keys());
  const View values = run.out("values", s.values());
  write(run, keys, values, s.k, s.v, s.slots);
  const HostTensor q = s.last_rows(s.q);
  run.backend.decode_attention(run.queue, run.out("out", zeros(q.shape())), run.in(q), keys, values,
                               run.in(s.tables), run.in(s.lengths), s.scale());
}

TEST(DecodeAttention, Agrees) {
  for (const Case& c : cases) {
    const Scene s = scene(c, 1);
    expect_agreement([&](test::Run& run) { decode(run, s); });
  }
}

TEST(DecodeAttention, HasTheBitsOfThePackedPass) {
  for (const Case& c : cases) {
    const Scene s = scene(c, 2);
    const auto packed = run_on(cpu::backend, [&](test::Run& run) {
      run.backend.attention_forward(run.queue, run.out("out", zeros(s.q.shape())),
                                    run.out("log_sum_exp", zeros({s.tokens, c.heads})), run.in(s.q),
                                    run.in(s.k), run.in(s.v), run.in(s.offsets), s.scale());
    });
    const auto decoded = run_on(cpu::backend, [&](test::Run& run) { decode(run, s); });
    EXPECT_EQ(decoded.at("out"), s.last_rows(packed.at("out"))) << "head dimension " << c.head_dim;
  }
}

TEST(DecodeAttention, EveryTokenHasTheBitsOfThePackedPass) {
  const Case c{{75}, 6, 2, 20};
  const Scene s = scene(c, 3);
  const auto packed = run_on(cpu::backend, [&](test::Run& run) {
    run.backend.attention_forward(run.queue, run.out("out", zeros(s.q.shape())),
                                  run.out("log_sum_exp", zeros({s.tokens, c.heads})), run.in(s.q),
                                  run.in(s.k), run.in(s.v), run.in(s.offsets), s.scale());
  });
  for (std::int32_t n = 0; n < 75; ++n) {
    const HostTensor lengths(std::vector<std::int32_t>{n + 1});
    const auto decoded = run_on(cpu::backend, [&](test::Run& run) {
      const View keys = run.out("keys", s.keys());
      const View values = run.out("values", s.values());
      write(run, keys, values, s.k.rows(0, n + 1), s.v.rows(0, n + 1), s.slots.rows(0, n + 1));
      run.backend.decode_attention(run.queue, run.out("out", zeros({1, c.heads, c.head_dim})),
                                   run.in(s.q.rows(n, n + 1)), keys, values, run.in(s.tables),
                                   run.in(lengths), s.scale());
    });
    EXPECT_EQ(decoded.at("out"), packed.at("out").rows(n, n + 1)) << "token " << n;
  }
}

TEST(DecodeAttention, BitsDoNotDependOnBatchOrThreads) {
  const Case c{{100, 1, 64, 33}, 4, 2, 40};
  const Scene s = scene(c, 4);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto one = run_on(cpu::backend, [&](test::Run& run) { decode(run, s); }).at("out");
  for (const int count : {2, 3}) {
    omp_set_num_threads(count);
    EXPECT_EQ(run_on(cpu::backend, [&](test::Run& run) { decode(run, s); }).at("out"), one);
  }
  omp_set_num_threads(threads);
  const HostTensor q = s.last_rows(s.q);
  for (std::int64_t b = 0; b < 4; ++b) {
    const auto alone = run_on(cpu::backend, [&](test::Run& run) {
      const View keys = run.out("keys", s.keys());
      const View values = run.out("values", s.values());
      write(run, keys, values, s.k, s.v, s.slots);
      run.backend.decode_attention(
          run.queue, run.out("out", zeros({1, 4, 40})), run.in(q.rows(b, b + 1)), keys, values,
          run.in(s.tables.rows(b, b + 1)), run.in(s.lengths.rows(b, b + 1)), s.scale());
    });
    EXPECT_EQ(alone.at("out"), one.rows(b, b + 1)) << "sequence " << b;
  }
}

/// Queries and keys are rotated, then keys and values written.
void rotate_and_write(test::Run& run, const Scene& s, const HostTensor& positions,
                      std::int64_t dims) {
  const View keys = run.out("keys", s.keys());
  const View values = run.out("values", s.values());
  run.backend.rotary_kv_write(run.queue, keys, values, run.out("q", s.q), run.out("k", s.k),
                              run.in(s.v), run.in(positions), run.in(s.slots), {dims, 10000.0});
}

TEST(KvCache, RotatesWhatItWrites) {
  Random random(6);
  for (const Case& c : cases) {
    const Scene s = scene(c, 6);
    const HostTensor positions = random.indices({s.tokens}, 8192);
    for (const std::int64_t dims : {std::int64_t{2}, c.head_dim / 4 * 2, c.head_dim}) {
      SCOPED_TRACE(fmt::format("head dimension {}, {} of it turned", c.head_dim, dims));
      expect_agreement([&](test::Run& run) { rotate_and_write(run, s, positions, dims); }, 2e-7);
    }
  }
}

TEST(KvCache, RotatesWithTheBitsOfRotary) {
  const Scene s = scene({{33, 5}, 5, 2, 20}, 7);
  const HostTensor positions = Random(8).indices({s.tokens}, 8192);
  const auto together = run_on(backend_under_test(),
                               [&](test::Run& run) { rotate_and_write(run, s, positions, 12); });
  const auto apart = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.rotary(run.queue, run.out("q", s.q), run.out("k", s.k), run.in(positions),
                       {12, 10000.0}, Rotation::forward);
  });
  EXPECT_EQ(together.at("q"), apart.at("q"));
  EXPECT_EQ(together.at("k"), apart.at("k"));
  const auto written = run_on(backend_under_test(), [&](test::Run& run) {
    const View keys = run.out("keys", s.keys());
    const View values = run.out("values", s.values());
    write(run, keys, values, apart.at("k"), s.v, s.slots);
  });
  EXPECT_EQ(together.at("keys"), written.at("keys"));
  EXPECT_EQ(together.at("values"), written.at("values"));
}

TEST(KvCache, CopiesBlocks) {
  Random random(5);
  const HostTensor keys = random.normal({4, 2, 5, attention_block});
  const HostTensor values = random.normal({4, 2, attention_block, 5});
  const Call call = [&](test::Run& run) {
    const View to_keys = run.out("keys", keys);
    const View to_values = run.out("values", values);
    run.backend.kv_copy_block(run.queue, to_keys, to_values, 1, 3);
    run.backend.kv_copy_block(run.queue, to_keys, to_values, 2, 2);
  };
  expect_agreement(call, 0.0);
  const auto result = run_on(cpu::backend, call);
  EXPECT_EQ(result.at("keys").rows(0, 3), keys.rows(0, 3));
  EXPECT_EQ(result.at("keys").rows(3, 4), keys.rows(1, 2));
  EXPECT_EQ(result.at("values").rows(0, 3), values.rows(0, 3));
  EXPECT_EQ(result.at("values").rows(3, 4), values.rows(1, 2));
}

TEST(KvCache, RefusesPlacesOutsideOfTheCache) {
  Queue queue = cpu::backend.make_queue();
  HostTensor keys = zeros({2, 1, 4, attention_block});
  HostTensor values = zeros({2, 1, attention_block, 4});
  HostTensor x = zeros({1, 1, 4});
  HostTensor half(DType::bf16, {1, 1, 4});
  for (const std::int32_t slot : {-1, 64}) {
    const HostTensor slots(std::vector<std::int32_t>{slot});
    EXPECT_THROW(cpu::backend.rotary_kv_write(queue, keys.view(), values.view(), {}, x.view(),
                                              x.view(), {}, slots.view(), {}),
                 Error);
  }
  const HostTensor slot(std::vector<std::int32_t>{0});
  EXPECT_THROW(cpu::backend.rotary_kv_write(queue, keys.view(), values.view(), {}, half.view(),
                                            half.view(), {}, slot.view(), {}),
               Error);
  EXPECT_NE(message_of<Error>([&] {
              const HostTensor positions(std::vector<std::int32_t>{0});
              cpu::backend.rotary_kv_write(queue, keys.view(), values.view(), x.view(), x.view(),
                                           x.view(), positions.view(), slot.view(), {.dims = 6});
            }).find("Kernel rotary_kv_write: dims is 6; expected an even number"),
            std::string::npos);
  EXPECT_THROW(cpu::backend.kv_copy_block(queue, keys.view(), values.view(), 0, 2), Error);
  const HostTensor table({1, 1}, std::vector<std::int32_t>{2});
  const HostTensor length(std::vector<std::int32_t>{1});
  HostTensor out = x;
  EXPECT_THROW(cpu::backend.decode_attention(queue, out.view(), x.view(), keys.view(),
                                             values.view(), table.view(), length.view(), 1.0),
               Error);
}

}  // namespace
}  // namespace precis::test
