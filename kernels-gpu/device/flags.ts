// WebGPU's flags, as the specification numbers them: browsers have them as globals, Node does not.

/** https://www.w3.org/TR/webgpu/#buffer-usage, those that are used here. */
export const bufferUsage = {
  MAP_READ: 0x0001,
  COPY_SRC: 0x0004,
  COPY_DST: 0x0008,
  UNIFORM: 0x0040,
  STORAGE: 0x0080,
} as const;

/** https://www.w3.org/TR/webgpu/#buffer-mapping */
export const mapMode = { READ: 0x0001 } as const;

/** https://www.w3.org/TR/webgpu/#binding-groups, of GPUShaderStage. */
export const shaderStage = { COMPUTE: 0x4 } as const;
