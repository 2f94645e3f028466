# Tiles need what cpu/avx512_bf16 shares: it is included before.
check_c_compiler_flag(-mamx-bf16 PL_COMPILES_AMX)
if(PL_COMPILES_AVX512_BF16 AND PL_COMPILES_AMX)
  pl_device_isa(amx "${PL_AVX512_BF16_FLAGS};-mamx-tile;-mamx-bf16" attention.c gemm.c state.c table.c train_table.c)
  target_compile_definitions(pl_device PRIVATE PL_HAVE_AMX)
endif()
